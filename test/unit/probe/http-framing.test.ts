// Where answers of HTTP end.

import assert from 'node:assert/strict';
import { it } from 'node:test';
import { HttpFraming } from '../../../src/probe/http-framing.ts';

/** After how many octets an answer is whole, given octet by octet; undefined: never. */
function wholeAfter(answer: string, isHead = false): number | undefined {
  const framing = new HttpFraming(isHead);
  for (let length = 1; length <= answer.length; length++) if (framing.isWhole(answer.slice(0, length))) return length;
  return undefined;
}

it('finds the end of an answer', () => {
  const cases: [string, boolean?][] = [
    ['HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello'],
    ['HTTP/1.1 200 OK\r\nX: y\r\ncontent-length:\t5\r\nZ: 1\r\n\r\nhello'],
    ['HTTP/1.1 200 OK\nContent-Length: 0\n\n'],
    ['HTTP/1.1 204 No Content\r\n\r\n'],
    ['HTTP/1.1 304 Not Modified\r\nContent-Length: 9\r\n\r\n'],
    ['HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n', true],
    ['HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\nx'],
    ['HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n1;x=y\r\n!\r\n0\r\n'],
    ['HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip, chunked\r\nContent-Length: 1\r\n\r\n0\r\n'],
  ];
  for (const [answer, isHead] of cases) assert.equal(wholeAfter(`${answer}more`, isHead), answer.length, answer);
});

it('finds none where the connection is the end', () => {
  for (const answer of [
    'HTTP/1.1 200 OK\r\n\r\nhello',
    'HTTP/1.1 200 OK\r\nContent-Length: many\r\n\r\nhello',
    'HTTP/1.1 200 OK\r\nContent-Length: 99\r\n\r\nhello',
    'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n',
    'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n99\r\nhello\r\n0\r\n',
    'hello\r\n\r\nhello',
    'SSH-2.0-x\r\n',
  ]) {
    assert.equal(wholeAfter(answer), undefined, answer);
  }
});

it('knows whether an answer says where it ends', () => {
  const isBounded = (answer: string): boolean => {
    const framing = new HttpFraming(false);
    framing.isWhole(answer);
    return framing.isBounded;
  };
  assert.equal(isBounded('HTTP/1.1 200 OK\r\nContent-Length: 99\r\n\r\nx'), true);
  assert.equal(isBounded('HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n9'), true);
  assert.equal(isBounded('HTTP/1.1 200 OK\r\n\r\nx'), false);
  assert.equal(isBounded('HTTP/1.1 200 OK\r\nContent-Length: 99\r\n'), false);
});
