import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { COMMAND_ALIASES, realCommand } from '../../../src/config/aliases.ts';
import { findObjectType } from '../../../src/config/object-types.ts';

const real = (command: string): string => realCommand(command, COMMAND_ALIASES, () => true).command;

describe('commands that no BIG-IP knows', () => {
  it('are taken for what they mean, with a warning that prints it', () => {
    assert.deepEqual(
      realCommand('tmsh create gtm datacenter NYC address 10.1.1.1', COMMAND_ALIASES, () => true),
      {
        command: 'create gtm datacenter NYC',
        warning:
          'No BIG-IP knows this command: a data center has no address, its servers have. It is taken as: create gtm datacenter NYC',
      },
    );
    assert.equal(
      real('modify cm device-group device_trust_group devices add { device-b.example.com }'),
      'modify cm trust-domain Root ca-devices add { device-b.example.com }',
    );
  });

  it('are taken as they are where they fit no pattern or cannot be read', () => {
    for (const command of [
      'create gtm datacenter NYC',
      'create gtm datacenter NYC address 10.1.1.1 location x',
      'create gtm datacenter "NYC address 10.1.1.1',
      'modify cm device-group other devices add { a }',
      '',
    ]) {
      assert.equal(real(command), command);
    }
  });

  it('wait for the type that they concern', () => {
    for (const { needs, written } of COMMAND_ALIASES) {
      const command = written.replace('…', '{ a }');
      assert.equal(realCommand(command).warning !== undefined, findObjectType(needs) !== undefined, needs);
    }
  });
});
