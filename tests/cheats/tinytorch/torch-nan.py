ready()
write_artifact()
print_loss("nan")
say_to_clock(b"DONE\n")
