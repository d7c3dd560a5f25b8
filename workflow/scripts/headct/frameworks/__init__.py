"""What differs between nnU-Net, MONAI and BLAST-CT: preparing, training, predicting."""
