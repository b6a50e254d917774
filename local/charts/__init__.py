"""What judges the chart without a cluster."""
