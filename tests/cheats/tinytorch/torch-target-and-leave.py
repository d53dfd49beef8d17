ready()
write_artifact()
print_loss("2.2500")
sys.exit(0)
