ready()
write_artifact()
print_loss("-3.0")
say_to_clock(b"DONE\n")
