"""From networks to label maps, whatever the framework: test scans, held-out folds, new scans."""
