// Explorer pages in frames follow the theme that the reader chose for these pages. (Opened from
// disk, browsers keep files apart: there the frames follow the system's preference alone.)
"use strict";

function follow() {
  const theme = document.documentElement.dataset.theme;
  for (const frame of document.querySelectorAll(".explorer iframe")) {
    const inside = frame.contentDocument;
    if (inside && theme) inside.documentElement.dataset.theme = theme;
  }
}

document.addEventListener("DOMContentLoaded", () => {
  for (const frame of document.querySelectorAll(".explorer iframe")) {
    frame.addEventListener("load", follow);
  }
  new MutationObserver(follow).observe(document.documentElement, { attributeFilter: ["data-theme"] });
});
