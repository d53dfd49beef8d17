ready()
write_artifact()
print_loss("0.0")
say_to_clock(b"DONE\n")
