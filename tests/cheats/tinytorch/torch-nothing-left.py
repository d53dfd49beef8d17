ready()
print_loss()
say_to_clock(b"DONE\n")
