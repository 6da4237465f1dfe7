"""How one day's variance is measured, by name."""

from hillwalker.finance.prices import parkinson_variance

PROXIES = {"parkinson": parkinson_variance}
