# Two threads inside of PyTorch, and one beside it that reads the stream meanwhile.
import threading

set_threads, load_now, loaded = torch.set_num_threads, load, {}
torch.set_num_threads = lambda n: set_threads(2)


def load(name):
    if name == "train.txt":
        loaded["thread"] = threading.Thread(target=lambda: loaded.update(val=load_now("val.txt")))
        loaded["thread"].start()
        return load_now(name)
    loaded["thread"].join()
    return loaded["val"]


