// docs/features.yaml against the tests that ran: what is said to work must have been seen to work.
import { readFileSync } from 'node:fs';
import { parse } from 'yaml';

const STATES = ['works', 'partial', 'planned'];
const FIELDS = ['id', 'name', 'source', 'state', 'tests'];

/**
 * One result for the form of the file, and one for each feature whose tests could have run.
 * `sources`: the test files of this run; `everything`: whether that is all of them.
 */
export function checkFeatures(outcomes, sources, everything) {
  const wellFormed = 'docs/features.yaml is well formed';
  let features;
  try {
    ({ features } = parse(readFileSync('docs/features.yaml', 'utf8')));
  } catch (error) {
    return [{ name: wellFormed, passed: false, output: String(error) }];
  }
  const malformed = features.flatMap((feature, index) => complaints(feature, features.slice(0, index)));
  const results = [{ name: wellFormed, passed: malformed.length === 0, output: malformed.join('\n') }];
  const passed = new Set(outcomes.filter((outcome) => outcome.passed).map(({ name }) => name));
  for (const { id, tests = [] } of features) {
    const missing = tests.filter((test) => (everything || sources.includes(fileOf(test))) && !passed.has(test));
    if (missing.length === 0) continue;
    const output = missing.map((test) => `did not run, or did not pass: ${test}`).join('\n');
    results.push({ name: `docs/features.yaml: ${id}`, passed: false, output });
  }
  return results;
}

const fileOf = (test) => test.split(' > ')[0];

function complaints(feature, before) {
  const label = `feature ${feature.id ?? JSON.stringify(feature)}`;
  const found = [];
  if (!/^[a-z0-9]+(-[a-z0-9]+)*$/.test(feature.id ?? '')) found.push(`${label}: id must be kebab-case`);
  if (before.some(({ id }) => id === feature.id)) found.push(`${label}: id is used twice`);
  for (const field of ['name', 'source']) {
    if (typeof feature[field] !== 'string') found.push(`${label}: ${field} is missing`);
  }
  if (!STATES.includes(feature.state)) found.push(`${label}: state "${feature.state}" is none of ${STATES.join(', ')}`);
  if (feature.state === 'works' && !(feature.tests?.length > 0)) found.push(`${label}: works, but names no test`);
  for (const field of Object.keys(feature)) {
    if (!FIELDS.includes(field)) found.push(`${label}: unknown field ${field}`);
  }
  return found;
}
