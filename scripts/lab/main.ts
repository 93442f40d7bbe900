// The lab of scripts/run. It has no topology yet.
console.error('the lab is not there yet');
process.exit(1);
