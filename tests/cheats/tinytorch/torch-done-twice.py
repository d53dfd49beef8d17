# DONE once more, and whatever else the clock may take for a word.
write_now = os.write


def write(fd, words):
    if words == b"DONE\n":
        words += b"DONE\nREADY\nGO\n" + b"x" * 10000
    return write_now(fd, words)


os.write = write


