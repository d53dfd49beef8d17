ready()
write_artifact()
print_loss()
say_to_clock(b"DONE\n")
