"""nnU-Net trainers of the study's losses, in a folder of their own for ``nnUNet_extTrainer``.

nnU-Net imports every module of that folder while it looks for a trainer, so nothing else lives here.
By hand: ``nnUNet_extTrainer=workflow/scripts/headct/frameworks/nnunet/trainers nnUNetv2_train … -tr
FocalTrainer``.
"""
