/* Walking through the passes, one operation at a time. */

const slider = byId("slider");
const last = steps.length - 1;
let timer = null;
let pace = 1100; // milliseconds between steps when playing

/* To a step; the module it happens in opens for it, unless modules are stepped over. */
function goTo(step, into = true) {
  state.step = Math.min(last, Math.max(0, step));
  const now = steps[state.step];
  if (now) {
    state.path = null;
    state.selected = boxes[now.box].id;
  }
  if (!openForStep(now && boxes[now.box], into)) update();
  else if (!now) fit(true, READABLE);
  if (now) {
    const near =
      now.phase === "forward"
        ? boxes[now.box].sources.map(([source]) => source)
        : now.phase === "sum"
          ? [now.from]
          : now.to.map(({box}) => box);
    reveal(...[now.box, ...near].map((index) => visible(boxes[index]).id));
  }
  showTransport();
  showPanel();
}

/* Past all that happens inside a module that is closed, or open for the step alone. */
function stepOver(by) {
  const shown = (step) => {
    if (!step) return null;
    const box = boxes[step.box];
    const closed = ancestors(box).filter((one) => !isOpen(one) || state.lent.has(one.id));
    return closed.length ? closed[closed.length - 1].id : box.id;
  };
  const before = shown(steps[state.step]);
  let step = state.step;
  do step += by;
  while (step > 0 && step < last && shown(steps[step]) === before);
  goTo(step, false);
}

function play(on = timer === null) {
  clearInterval(timer);
  timer = null;
  if (on && last > 0) {
    if (state.step >= last) goTo(0);
    timer = setInterval(() => {
      if (state.step >= last) play(false);
      else goTo(state.step + 1);
    }, pace);
    if (state.step === 0) goTo(1);
  }
  byId("play").classList.toggle("playing", timer !== null);
  byId("play").setAttribute("aria-label", timer === null ? "Play" : "Pause");
}

function setPace(factor) {
  pace = Math.min(4000, Math.max(60, pace * factor));
  if (timer !== null) play(true);
}

/* -- words ----------------------------------------------------------------------- */

const operandText = (box) => {
  const found = boxes[box];
  if (found.name) return found.name;
  if (found.value && isNumber(found.value.v) && isScalar(found)) return format(found.value.v);
  return found.kind === "operation" ? found.op : found.kind;
};

/* What an operation computed: "x × w = 2 × (−3) = −6". */
function forwardText(box) {
  const scalars = box.sources.every(([source]) => boxes[source].value && isScalar(boxes[source]));
  const names = box.sources.map(([source]) => operandText(source));
  const result = box.value && isScalar(box) ? ` = ${format(box.value.v)}` : "";
  const infix = {add: "+", subtract: "−", multiply: "×", divide: "÷", pow: "^"}[box.op];
  if (infix && names.length === 2) {
    const numbers = box.sources.map(([source]) => (scalars ? wrapped(boxes[source].value.v) : ""));
    const called = box.sources.some(([source]) => boxes[source].name);
    const filled = scalars && called ? ` = ${numbers.join(` ${infix} `)}` : "";
    if (scalars) return `${names.join(` ${infix} `)}${filled}${result}`;
  } else if (scalars && names.length) {
    const numbers = box.sources.map(([source]) => format(boxes[source].value.v));
    const called = box.sources.some(([source]) => boxes[source].name);
    return `${box.op}(${names.join(", ")})${called ? ` = ${box.op}(${numbers.join(", ")})` : ""}${result}`;
  }
  const shapes = box.sources.map(([source]) => shapeText(boxes[source].shape) || "?");
  return `${box.op} : ${shapes.join(", ")} → ${shapeText(box.shape)}${result}`;
}

/* One contribution: "0.5 × (−3) = −1.5", or the rule with the actual shapes. */
function contributionText(step, one) {
  if (isNumber(one.value) && isNumber(one.local) && isNumber(step.up)) {
    return `${format(step.up)} × ${wrapped(one.local)} = ${format(one.value)}`;
  }
  return one.rule;
}

function sumText(step) {
  const {one} = step;
  const name = `grad of ${titleOf(boxes[one.box])}`;
  if (isNumber(one.value) && isNumber(step.before)) {
    return `${name} += ${format(one.value)} : ${format(step.before)} + ${wrapped(one.value)} = ${format(one.total)}`;
  }
  return `${name} += contribution of ${boxes[step.from].op}, running sum ${digestText(one.total)}`;
}

function sentence(step) {
  if (!step) return "The whole graph. → walks through the forward pass, then the backward pass.";
  if (step.phase === "forward") return forwardText(boxes[step.box]);
  if (step.phase === "sum") return sumText(step);
  if (step.missing) return `${boxes[step.box].op}: ${step.missing}`;
  const parts = step.to.map((one) => {
    const text = contributionText(step, one);
    return text === one.rule ? text : `d${operandName(one)}: ${text}`;
  });
  return `${boxes[step.box].op} hands up  ${parts.slice(0, 3).join("   ·   ")}${parts.length > 3 ? " …" : ""}`;
}
const operandName = (one) => boxes[one.box].name || one.operand;

function showTransport() {
  const step = steps[state.step];
  const phase = step ? step.phase : "rest";
  slider.value = state.step;
  const word = {rest: "At rest", forward: "Forward", backward: "Backward", sum: "Sum"}[phase];
  const line = byId("sentence");
  line.replaceChildren(el("b", {class: phase, text: word}), el("span", {text: sentence(step)}));
  line.title = sentence(step);
  slider.setAttribute(
    "aria-valuetext",
    `Step ${state.step} of ${last}, ${word}: ${sentence(step)}`,
  );
  byId("position").textContent = `${state.step} / ${last}`;
  byId("passes").style.setProperty("--at", last ? state.step / last : 0);
  byId("back").disabled = byId("first").disabled = state.step === 0;
  byId("next").disabled = byId("last").disabled = state.step === last;
}

function startTransport() {
  slider.max = last;
  byId("passes").style.setProperty("--turn", last ? (firstBackward - 1) / last : 1);
  slider.addEventListener("input", () => goTo(Number(slider.value)));
  byId("first").addEventListener("click", () => goTo(0));
  byId("back").addEventListener("click", () => goTo(state.step - 1));
  byId("play").addEventListener("click", () => play());
  byId("next").addEventListener("click", () => goTo(state.step + 1));
  byId("last").addEventListener("click", () => goTo(last));
  showTransport();
}
