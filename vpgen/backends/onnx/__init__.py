"""Small neural models that run on a CPU through onnxruntime, shipped with their weights."""
