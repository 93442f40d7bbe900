// Vectors: what tc(8) of iproute2 6.1 sends for the two commands of traffic-control.ts, from device 5 to device 3.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { addIngressRequest, redirectRequest } from '../../../src/wire/traffic-control.ts';
import { fromHex, toHex } from '../../support/octets.ts';

const SEQUENCE = 0x6b05_69cd;

test('a place for filters is asked for as tc asks for it', () => {
  const expected = fromHex(`
    30000000 2400 0506 cd69056b 00000000 00000000 05000000 0000ffff f1ffffff 00000000
    0c00 0100 696e677265737300`);
  assert.equal(toHex(addIngressRequest(SEQUENCE, 5)), toHex(expected));
});

test('a redirection is asked for as tc asks for it', () => {
  const expected = fromHex(`
    8c000000 2c00 0506 cd69056b 00000000 00000000 05000000 00000000 f2ffffff 00030100
    0800 0100 75333200 6000 0200 3800 0700 3400 0100 0b00 0100 6d69727265640000
    2400 0280 2000 0200 00000000 00000000 04000000 00000000 00000000 01000000 03000000
    2400 0500 01000100 ${'00'.repeat(28)}`);
  assert.equal(toHex(redirectRequest(SEQUENCE, 5, 3)), toHex(expected));
});
