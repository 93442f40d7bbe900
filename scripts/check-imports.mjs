// Runs the import rules over src/, and over a fixture that breaks them: a checker that cannot fail proves nothing.
import { createRequire } from 'node:module';
import { cruise } from 'dependency-cruiser';
import extractTSConfig from 'dependency-cruiser/config-utl/extract-ts-config';

const { forbidden, options } = createRequire(import.meta.url)('./import-rules.cjs');
const tsConfig = extractTSConfig('tsconfig.json');

async function check(folder) {
  const ruleSet = { forbidden };
  const { output } = await cruise([folder], { ...options, ruleSet, validate: true }, {}, { tsConfig });
  return { modules: output.modules.length, violations: output.summary.violations };
}

const source = await check('src');
const fixture = await check('test/fixtures/imports');
for (const { rule, from, to } of source.violations) console.error(`${rule.name}: ${from} -> ${to}`);
const expected = ['core-imports-downwards', 'no-cycles', 'pure-tiers-touch-no-platform'];
const missed = expected.filter((name) => !fixture.violations.some(({ rule }) => rule.name === name));
for (const name of missed) console.error(`the fixture in test/fixtures/imports did not trip ${name}`);
if (source.modules === 0) console.error('no module was read: the check is broken');
const failed = source.violations.length > 0 || missed.length > 0 || source.modules === 0;
console.log(`imports: ${source.modules} modules, ${source.violations.length} violations`);
process.exit(failed ? 1 : 0);
