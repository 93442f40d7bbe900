import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { it } from 'node:test';
import { GRAMMAR_VERSION, PIECE_CHARACTERS } from '../../../src/iquery/messages.ts';
import { INFLATE_LIMITS } from '../../../src/assembly/iqueryd/compression.ts';
import { LISTED_CHARACTERS, WIRE_LIMITS } from '../../../src/iquery/wire-limits.ts';
import { IQUERY_TABLES } from '../../support/iquery-tables.ts';

const text = readFileSync('docs/iquery.md', 'utf8');

for (const [heading, table] of Object.entries(IQUERY_TABLES)) {
  it(`docs/iquery.md has every message and field: ${heading}`, () => {
    const [, section = ''] = text.split(`### ${heading}\n`);
    const rows = section
      .split(/\n##/)[0]!
      .split('\n')
      .filter((line) => line.startsWith('|'));
    assert.equal(rows.join('\n'), table, `put the table under "### ${heading}" as it is here`);
  });
}

it('docs/iquery.md has the limits that the code has', () => {
  const { messageOctets, depth, nameOctets, tagOctets, toldNames } = WIRE_LIMITS;
  const { ratio, allowance, waiting } = INFLATE_LIMITS;
  for (const value of [messageOctets, tagOctets, allowance, 10 * waiting, PIECE_CHARACTERS])
    assert.ok(text.includes(value.toLocaleString('en')), `${value.toLocaleString('en')} is not in it`);
  for (const phrase of [
    `${depth} elements`,
    `${nameOctets} octets`,
    `${toldNames} names`,
    `${LISTED_CHARACTERS} characters`,
    `${ratio} octets`,
    `is version ${GRAMMAR_VERSION} `,
  ])
    assert.ok(text.includes(phrase), `"${phrase}" is not in it`);
});
