"""Data: datasets, and loaders that give their examples in batches."""

from nn.data.collate import default_collate, pad_collate
from nn.data.dataset import Dataset, Subset, TensorDataset, random_split
from nn.data.loader import DataLoader
from nn.data.order import BucketBatchSampler

__all__ = [
    "BucketBatchSampler",
    "DataLoader",
    "Dataset",
    "Subset",
    "TensorDataset",
    "default_collate",
    "pad_collate",
    "random_split",
]
