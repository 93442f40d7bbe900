// What probes show of what they have sent and received.

import assert from 'node:assert/strict';
import { it } from 'node:test';
import { MAX_SHOWN } from '../../../src/health/probe.ts';
import { boundedText, shownOctets, shownOctetText, shownPattern, shownTime } from '../../../src/probe/shown-text.ts';

const latin1 = (text: string): string => Buffer.from(text, 'utf8').toString('latin1');

it('shows octets on one line, without what a terminal obeys, and with characters that are UTF-8', () => {
  assert.equal(shownOctetText('HTTP/1.1 200 OK\r\nA: b'), 'HTTP/1.1 200 OK\\r\\nA: b');
  assert.equal(shownOctetText('\x1b[2J\x07\x7f\0'), '\\x1b[2J\\x07\\x7f\\x00');
  assert.equal(shownOctetText(latin1('grün 漢\u202e')), 'grün 漢\\u{202e}');
  assert.equal(shownOctetText('\xff\xfe'), '\ufffd\ufffd');
});

it('bounds what it shows, and cuts no escape in two', () => {
  for (const text of [
    'a'.repeat(2000),
    '\0'.repeat(600),
    latin1('\u202e'.repeat(400)),
    latin1('😀'.repeat(300)),
    '\r\n'.repeat(400),
  ]) {
    for (const most of [MAX_SHOWN, 100, 101, 102, 103, 104, 105, 106, 107]) {
      const shown = shownOctetText(text, most);
      assert.ok(shown.length <= most && shown.length > most / 3, `${shown.length} of ${most}`);
      assert.match(shown, /(?:a|\\x00|\}|😀|\\n|\\r|\ufffd)…$/u);
    }
  }
  assert.equal(shownOctetText('a'.repeat(MAX_SHOWN)), 'a'.repeat(MAX_SHOWN));
  assert.equal(boundedText('abcdef', 4), 'abc…');
  assert.equal(boundedText('abcd', 4), 'abcd');
  assert.equal(shownPattern('x'.repeat(200)).length, 82);
});

it('says times and counts', () => {
  assert.equal(shownTime(5000), '5 s');
  assert.equal(shownTime(449), '0.4 s');
  assert.equal(shownOctets(1), '1 octet');
  assert.equal(shownOctets(312), '312 octets');
});
