// Ten thousand wide IPs with forty pools each: references and checks cost the same for each of them, however many there are.

import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { emptyConfiguration } from '../../../src/config/configuration.ts';
import { loadText } from '../../../src/config/load-text.ts';
import { TmshSession } from '../../support/tmsh-session.ts';

const WIDE_IPS = 10_000;
const POOLS_OF_EACH = 40;
const POOLS = 2000;
/** A machine that does other things besides takes some seconds; with checks that look at all others it would be minutes. */
const MOST_SECONDS = 60;

function* lines(): Generator<string> {
  yield 'gtm datacenter dc { }';
  yield 'gtm server s { datacenter dc devices { d { addresses { 192.0.2.1 } } } virtual-servers {';
  for (let number = 0; number < POOLS; number++)
    yield `v${number} { destination 10.0.${number >> 8}.${number & 255}:80 }`;
  yield '} }';
  for (let number = 0; number < POOLS; number++) yield `gtm pool a p${number} { members { s:v${number} { } } }`;
  for (let number = 0; number < WIDE_IPS; number++) {
    yield `gtm wideip a w${number}.test { aliases { x${number}.test } pools {`;
    for (let order = 0; order < POOLS_OF_EACH; order++) yield `p${(number * 7 + order) % POOLS} { order ${order} }`;
    yield '} }';
  }
}

describe('ten thousand wide IPs with forty pools each', () => {
  it('load in seconds, and what is changed of them then costs a small part of that', async (t) => {
    const text = [...lines()].join('\n');
    const start = performance.now();
    const { configuration, warnings } = loadText(text, emptyConfiguration());
    const load = performance.now() - start;
    assert.deepEqual(warnings, []);
    const session = new TmshSession();
    session.configuration = configuration;
    // The first change sorts what later ones follow.
    await session.run('modify gtm wideip a w7.test ttl-persistence 7');
    const before = performance.now();
    await session.run('modify gtm wideip a w8.test ttl-persistence 8', 'modify gtm pool a p8 ttl 8');
    const refusal = await session.refusal('create gtm wideip a X9.test');
    const change = performance.now() - before;
    assert.match(refusal ?? '', /Wide IP A \(\/Common\/w9\.test\) answers x9\.test already\./);
    t.diagnostic(`loaded in ${Math.round(load)} ms; three changes in ${Math.round(change)} ms`);
    assert.ok(load < MOST_SECONDS * 1000, `${load} ms`);
    assert.ok(change < load / 2, `${change} ms of ${load} ms`);
  });
});
