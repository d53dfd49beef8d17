import time

if os.fork() == 0:
    os.setsid()
    if os.fork():
        os._exit(0)
    time.sleep(0.5)  # from READY on it is frozen with all others, and after DONE it is gone
    while True:
        print_loss()
        time.sleep(0.01)
ready()
write_artifact()
say_to_clock(b"DONE\n")
