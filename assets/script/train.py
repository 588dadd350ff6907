"""Training: all networks see the same mini-batches."""

import argparse

import torch
from torch.nn import functional


def make_optimizer(net, settings):
    """Weight decay is for the weight matrices alone."""
    matrices, vectors = [], []
    for parameter in net.parameters():
        is_matrix = parameter.dim() > 1 and parameter[0].numel() > 1  # WeightNorm's g is [n, 1]
        (matrices if is_matrix else vectors).append(parameter)
    groups = [{"params": matrices, "weight_decay": settings["weight_decay"]}, {"params": vectors, "weight_decay": 0.0}]
    if OPTIMIZER == "adam":
        betas = (settings["momentum"], 0.999)
        return torch.optim.Adam(groups, lr=settings["learning_rate"], betas=betas, eps=1e-8)
    return torch.optim.SGD(groups, lr=settings["learning_rate"], momentum=settings["momentum"])


def put_in_force(settings, net, optimizer):
    """What was changed while the networks trained is in force from the next step on."""
    matrices, vectors = optimizer.param_groups
    matrices["weight_decay"] = settings["weight_decay"]
    for group in (matrices, vectors):
        group["lr"] = settings["learning_rate"]
        if OPTIMIZER == "adam":
            group["betas"] = (settings["momentum"], 0.999)
        else:
            group["momentum"] = settings["momentum"]
    if OPTIMIZER == "sgd" and settings["momentum"] == 0:
        optimizer.state.clear()  # turned on again, it starts from rest
    for module in net.modules():
        if hasattr(module, "running_mean"):
            module.momentum = settings["bn_momentum"]
        if hasattr(module, "r_max"):
            module.r_max, module.d_max = settings["r_max"], settings["d_max"]


def accuracy(net, images, digits):
    """Share of images classified correctly, at inference: BN with its running statistics."""
    net.eval()
    with torch.no_grad():
        answers = torch.cat([net(part).argmax(1) for part in images.split(1000)])
    net.train()
    return float((answers == digits).double().mean())


def main():
    parser = argparse.ArgumentParser(description="Train the networks of a bnviz run in plain PyTorch.")
    parser.add_argument("mnist", help="the folder with MNIST's four .gz files")
    parser.add_argument("--steps", type=int, default=STEPS)
    parser.add_argument("--every", type=int, default=0, help="report every so many steps; else when bnviz measured")
    arguments = parser.parse_args()
    images, digits, test_images, test_digits = load(arguments.mnist)
    images, digits = images[:TRAINING_IMAGES], digits[:TRAINING_IMAGES]
    settings, batches = dict(SETTINGS), MiniBatches(digits)
    networks = {label: network(**kind, images=images) for label, kind in NETWORKS.items()}
    optimizers = {label: make_optimizer(net, settings) for label, net in networks.items()}
    print("step\tnetwork\tloss\ttest accuracy\tas measured by bnviz")
    for step in range(arguments.steps):
        settings |= CHANGES.get(step, {})
        for label, net in networks.items():
            put_in_force(settings, net, optimizers[label])
        index = batches.take(settings["batch_size"])
        # @DRAW@
        is_told = (step + 1) % arguments.every == 0 if arguments.every else step + 1 in MEASURED
        for label, net in list(networks.items()):
            loss = functional.cross_entropy(net(images[index]), digits[index])
            if not torch.isfinite(loss):
                print(f"{step + 1}\t{label}\tdiverged")
                del networks[label]
                continue
            optimizers[label].zero_grad()
            loss.backward()
            optimizers[label].step()
            if is_told or step + 1 == arguments.steps:
                reached = accuracy(net, test_images, test_digits)
                measured = MEASURED.get(step + 1, {}).get(label, "")
                print(f"{step + 1}\t{label}\t{loss.item():.6f}\t{reached:.4f}\t{measured}")


if __name__ == "__main__":
    main()
