import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { auditText } from '../../../src/assembly/configd/audit.ts';

const NEIGHBOURS = new Set(['passphrase', 'password', 'shell', 'tag']);
const SECRETS = new Map([
  ['passphrase', NEIGHBOURS],
  ['password', NEIGHBOURS],
]);
const audit = (command: string, result = 'Command OK') => auditText(command, result, SECRETS);

describe('a line of the audit log', () => {
  it('is one line, whatever the command holds', () => {
    const { command, result } = audit('create net vlan\n  a {\n\ttag 5 }\u001b[2J\r\n', 'Syntax Error: x\n  more');
    assert.equal(command, 'create net vlan a { tag 5 }\\x1b[2J');
    assert.equal(result, 'Syntax Error: x');
  });

  it('is cut where a command has thousands of records', () => {
    const { command } = audit(`modify x ${'y'.repeat(5000)}`);
    assert.equal(command.length, 4096 + ' … (913 more characters)'.length);
    assert.ok(command.endsWith(' … (913 more characters)'));
  });

  it('never holds a secret, wherever it stands', () => {
    for (const [written, kept] of [
      ['create auth user x password hunter2', 'create auth user x password ********'],
      ['create auth user x { password "hunter2 b" shell none }', 'create auth user x { password ******** shell none }'],
      ['modify x passphrase add { hunter2 b } tag 5', 'modify x passphrase add ******** tag 5'],
      ['modify x passphrase { hunter2 { b } } password b }', 'modify x passphrase ******** password ******** }'],
      ['modify x { password hunter2', 'modify x { password ********'],
      ['modify x { password "hunter2', 'modify x { password********'],
      ['modify x { passphrase { hunter2 "b', 'modify x { passphrase ****************'],
      ['modify x password', 'modify x password'],
      ['modify x { password hunter2 "b c" hunter3 tag 5 }', 'modify x { password ******** tag 5 }'],
    ] as const) {
      assert.equal(audit(written).command, kept);
    }
  });

  it('does not say in the result what it hides in the command', () => {
    const { result } = audit('modify x passphrase hunter2 tag', 'Syntax Error: unexpected argument "hunter2"');
    assert.equal(result, 'Syntax Error: unexpected argument "********"');
    const block = audit('modify x passphrase { hunter2 "two words" }', 'no "two words", no hunter2');
    assert.equal(block.result, 'no "********", no ********');
  });
});
