// What monitors send: escapes, and requests of HTTP made whole.

import assert from 'node:assert/strict';
import { it } from 'node:test';
import { basicCredentials, httpRequest, resolveEscapes } from '../../../src/probe/sent-text.ts';

it('resolves the escapes of a device', () => {
  const cases: [string, string][] = [
    [String.raw`GET /\r\n`, 'GET /\r\n'],
    [String.raw`\a\b\e\f\n\r\t\v\\\'\"`, '\x07\b\x1b\f\n\r\t\v\\\'"'],
    [String.raw`\x00\xfF\101\077`, '\0\xffA?'],
    [String.raw`\q\x1\400\\n`, String.raw`\q\x1\400\n`],
    ['ä', '\xc3\xa4'],
    ['', ''],
  ];
  for (const [text, octets] of cases) assert.equal(resolveEscapes(text).toString('latin1'), octets, text);
});

it('ends the header of a request once, and adds nothing else but credentials', () => {
  const request = (text: string, username = ''): string =>
    httpRequest(Buffer.from(text), username, basicCredentials(username, 'pass:word')).toString();
  assert.equal(request('GET /\r\n'), 'GET /\r\n');
  assert.equal(request('GET /'), 'GET /\r\n');
  assert.equal(request('GET / HTTP/1.0'), 'GET / HTTP/1.0\r\n\r\n');
  assert.equal(request('GET / HTTP/1.1\r\nHost: x\r\n'), 'GET / HTTP/1.1\r\nHost: x\r\n\r\n');
  assert.equal(request('GET / HTTP/1.1\r\nHost: x\r\n\r\n'), 'GET / HTTP/1.1\r\nHost: x\r\n\r\n');
  const post = 'POST / HTTP/1.1\r\nContent-Length: 1\r\n\r\nx';
  assert.equal(request(post), post);
  const header = 'Authorization: Basic dTpwYXNzOndvcmQ=';
  assert.equal(request('GET / HTTP/1.1\r\nHost: x', 'u'), `GET / HTTP/1.1\r\nHost: x\r\n${header}\r\n\r\n`);
  assert.equal(request(post, 'u'), `POST / HTTP/1.1\r\nContent-Length: 1\r\n${header}\r\n\r\nx`);
  assert.equal(request('GET /\r\n', 'u'), `GET /\r\n${header}\r\n\r\n`);
  assert.equal(request('', 'u'), '');
});
