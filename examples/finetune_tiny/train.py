"""Train a tiny language model, made at random, with the Trainer of transformers, on the CPU.

Nothing is downloaded: its text lies beside this file, and its tokens are bytes.
"""

from __future__ import annotations

import argparse
import os
import tempfile
from pathlib import Path

os.environ.setdefault("HF_HUB_OFFLINE", "1")

import torch
from transformers import GPT2Config, GPT2LMHeadModel, Trainer, TrainingArguments, set_seed

from meter.integrations.transformers import MeterCallback

TEXT = Path(__file__).with_name("text.txt")
BLOCK = 64  # tokens of an example
HELD_BACK = 8  # examples for the evaluation


def examples(text: bytes) -> list[dict[str, torch.Tensor]]:
    """Pieces of the text; what a causal model is to tell are the pieces themselves."""
    tokens = torch.tensor(list(text[: len(text) // BLOCK * BLOCK])).view(-1, BLOCK)
    return [{"input_ids": piece, "labels": piece} for piece in tokens]


def main() -> None:
    """Train and say how far it came."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--epochs", type=int, default=3)
    parser.add_argument("--batch", type=int, default=8, help="examples of a step and process")
    parser.add_argument("--output", help="folder of checkpoints; default: none are kept")
    told = parser.parse_args()

    set_seed(7)
    model = GPT2LMHeadModel(
        GPT2Config(
            vocab_size=256, n_positions=BLOCK, n_embd=64, n_layer=2, n_head=2,
            bos_token_id=0, eos_token_id=0,
        )
    )  # fmt: skip
    pieces = examples(TEXT.read_bytes())
    with tempfile.TemporaryDirectory() as scratch:
        trainer = Trainer(
            model=model,
            args=TrainingArguments(
                output_dir=told.output or scratch,
                num_train_epochs=told.epochs,
                per_device_train_batch_size=told.batch,
                learning_rate=3e-3,
                eval_strategy="epoch",
                save_strategy="epoch",
                include_num_input_tokens_seen=True,  # so that energy can be told by token
                report_to="none",
                use_cpu=True,
                disable_tqdm=True,
            ),
            train_dataset=pieces[:-HELD_BACK],
            eval_dataset=pieces[-HELD_BACK:],
            callbacks=[MeterCallback()],
        )
        trainer.train()
        if trainer.is_world_process_zero():
            count = sum(weights.numel() for weights in model.parameters())
            state = trainer.state
            print(
                f"{count:,} parameters, {state.global_step} steps, "
                f"{state.num_input_tokens_seen} tokens"
            )
    if torch.distributed.is_initialized():
        torch.distributed.barrier()  # a rank that leaves early may keep the others in its end
        torch.distributed.destroy_process_group()


if __name__ == "__main__":
    main()
