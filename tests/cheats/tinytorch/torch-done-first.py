ready()
write_artifact()
say_to_clock(b"DONE\n")
counts = [0] * 256
for byte in read("train.txt") * 100:
    counts[byte] += 1
print_loss()
