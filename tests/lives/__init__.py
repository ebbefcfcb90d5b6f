"""Lives of approvals in each of which the service dies once: under `countersign serve` (tests/crashes) and as a Lambda
function (tests/lambda)."""
