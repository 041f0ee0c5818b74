"""Rules that an audit has to keep before it is released: `trialign gate`. Not the classifier of `trialign.gating`."""
