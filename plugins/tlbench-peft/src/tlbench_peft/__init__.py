"""Parameter-efficient fine-tuning, over the library peft: LoRA and its relatives, virtual tokens, biases, adapters."""
