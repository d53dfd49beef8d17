# A lower one first: the last one is what counts.
print("val_loss: 1.0000", flush=True)


