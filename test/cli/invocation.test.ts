import { expect, test } from 'vitest';
import { invocationOf } from '../../src/cli/invocation.ts';
import type { LoadedConfig } from '../../src/config/load.ts';

const loaded = {
  config: { root: '/srv/files', stateDir: '/var/lib/files-mirror' },
  file: '/etc/files-mirror/config.json',
  baseUrlGiven: false,
} as LoadedConfig;
const base = { env: {}, cwd: '/home/me', loaded, user: 'mirror' };

test('in a shell a command has the options that this one had', () => {
  const flags = { root: './my files', stateDir: 'state' };
  expect(invocationOf({ ...base, flags })).toEqual({
    program: 'files-mirror',
    options: " --root './my files' --state-dir state",
  });
  expect(invocationOf({ ...base, flags: {} })).toEqual({ program: 'files-mirror', options: '' });
});

test('in a service it names user, configuration and state folder in full', () => {
  const env = { NOTIFY_SOCKET: '/run/systemd/notify', STATE_DIRECTORY: '/var/lib/files-mirror' };
  expect(invocationOf({ ...base, env, flags: { config: 'config.json' } })).toEqual({
    program: 'sudo -u mirror files-mirror',
    options: ' --config /etc/files-mirror/config.json --state-dir /var/lib/files-mirror',
  });
  const withoutFile = { ...loaded, file: null };
  expect(invocationOf({ ...base, env, loaded: withoutFile, flags: { root: '.' } }).options).toBe(
    ' --root /srv/files --state-dir /var/lib/files-mirror',
  );
});

test('in a service whose configuration cannot be read it names what is known', () => {
  const env = { STATE_DIRECTORY: '/var/lib/files-mirror' };
  const flags = { config: 'config.json', root: 'files' };
  expect(invocationOf({ ...base, env, loaded: null, flags }).options).toBe(
    ' --config /home/me/config.json --root /home/me/files --state-dir /var/lib/files-mirror',
  );
});

test('in a checkout it goes by npm, as the program is not installed', () => {
  const env = { npm_package_name: 'files-mirror', npm_lifecycle_event: 'start' };
  expect(invocationOf({ ...base, env, flags: {} }).program).toBe('npm run -s mirror --');
  expect(invocationOf({ ...base, env: { ...env, npm_lifecycle_event: 'test' }, flags: {} }).program).toBe(
    'files-mirror',
  );
});
