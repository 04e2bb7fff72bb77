"""What is carried out: plan, cost, scheduler, retry, prerequisites, workers, and where they run (`launch/`)."""
