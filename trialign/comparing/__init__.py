"""Whether two free replies to one question state the same fact: by canonical answers, by entailment, by a judge."""
