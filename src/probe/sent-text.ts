// What a monitor sends: the escapes of `send` resolved to octets, and for HTTP the request made whole.

import { OCTET_ESCAPES } from '../core/octet-pattern-parser.ts';

const ESCAPE = /\\(?:x([0-9a-fA-F]{2})|([0-3][0-7]{2})|([abefnrtv\\'"]))/g;

/** The octets of a `send` string, by F5's escapes: \r, \n, \t, \\, \xHH, \NNN (octal). One that it does not know stands for itself. */
export function resolveEscapes(text: string): Buffer {
  const parts: Buffer[] = [];
  let from = 0;
  for (const match of text.matchAll(ESCAPE)) {
    const [all, hexadecimal, octal, named] = match;
    parts.push(Buffer.from(text.slice(from, match.index), 'utf8'));
    from = match.index + all.length;
    if (hexadecimal !== undefined) parts.push(Buffer.of(Number.parseInt(hexadecimal, 16)));
    else if (octal !== undefined) parts.push(Buffer.of(Number.parseInt(octal, 8)));
    else parts.push(Buffer.of(OCTET_ESCAPES[named!] ?? named!.charCodeAt(0)));
  }
  parts.push(Buffer.from(text.slice(from), 'utf8'));
  return Buffer.concat(parts);
}

const BLANK_LINE = '\r\n\r\n';
const VERSIONED = /^[^\r\n]* HTTP\/\d/;

/**
 * A request as it goes out: with credentials (Basic, RFC 7617) where there is a user name, and with the blank line that ends the
 * header of HTTP/1.x when the text has none; a request without a version (HTTP/0.9) ends with its line.
 */
export function httpRequest(send: Buffer, username: string, credentials: string): Buffer {
  if (send.length === 0) return send;
  let text = send.toString('latin1');
  if (!text.includes(BLANK_LINE) && (VERSIONED.test(text) || username !== '')) {
    text = `${text.replace(/[\r\n]+$/, '')}${BLANK_LINE}`;
  } else if (!text.includes('\n')) {
    text = `${text}\r\n`;
  }
  if (username !== '') {
    const end = text.indexOf(BLANK_LINE);
    text = `${text.slice(0, end)}\r\nAuthorization: Basic ${credentials}${text.slice(end)}`;
  }
  return Buffer.from(text, 'latin1');
}

export const basicCredentials = (username: string, password: string): string =>
  Buffer.from(`${username}:${password}`, 'utf8').toString('base64');
