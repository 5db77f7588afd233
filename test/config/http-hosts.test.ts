import { describe, expect, test } from 'vitest';
import { isPublicHost } from '../../src/config/http-hosts.ts';
import { configFolder } from './load-for-test.ts';

describe('a public host is one that anybody on the internet may own', () => {
  test.each([
    'api.openai.com',
    'example.com.',
    'litellm.mycompany.io',
    'local.example',
    '8.8.8.8',
    '172.32.0.1',
    '[2001:db8::1]',
    'internal.com',
  ])('%s', (host) => {
    expect(isPublicHost(host)).toBe(true);
  });

  test.each([
    'litellm',
    'LiteLLM',
    'litellm.',
    'gateway.local',
    'gateway.internal',
    'gateway.lan',
    'gateway.home.arpa',
    'litellm.default.svc.cluster.local',
    '10.1.2.3',
    '172.16.0.1',
    '192.168.1.1',
    '169.254.1.1',
    '100.64.0.1',
    '[fd00::1]',
    '[fe80::1]',
    '[::1]',
  ])('%s is none', (host) => {
    expect(isPublicHost(host)).toBe(false);
  });
});

describe('plain http', () => {
  const { load, errorOf } = configFolder();

  test('to a host in the own network: the refusal names the way out, and that is one', async () => {
    const message = await errorOf({ api: { baseUrl: 'http://litellm:4000' } });
    expect(message).toBe(
      'api.baseUrl: plain http to litellm would send the key unencrypted; use https; if litellm is in a network that you trust, set api.allowHttp to ["litellm"]',
    );
    const { api } = await load({ api: { baseUrl: 'http://litellm:4000', allowHttp: ['litellm'] } });
    expect(api.baseUrl).toBe('http://litellm:4000');
  });

  test.each([
    ['http://LITELLM:4000', 'litellm'],
    ['http://10.0.0.7/v1', '10.0.0.7'],
    ['http://[fd00::7]:4000/v1', 'fd00::7'],
    ['http://[fd00::7]:4000/v1', '[fd00::7]'],
    ['http://gw.internal./v1', 'gw.internal'],
  ])('%s with "%s" allowed', async (baseUrl, host) => {
    await expect(load({ api: { baseUrl, allowHttp: [host] } })).resolves.toBeDefined();
  });

  test('one host allowed allows no other', async () => {
    const message = await errorOf({ api: { baseUrl: 'http://other:4000', allowHttp: ['litellm'] } });
    expect(message).toContain('set api.allowHttp to ["other"]');
  });

  test('to a public name: no way out is offered, and none is there', async () => {
    const baseUrl = 'http://gateway.example.com/v1';
    expect(await errorOf({ api: { baseUrl } })).not.toContain('allowHttp');
    const message = await errorOf({ api: { baseUrl, allowHttp: ['gateway.example.com'] } });
    expect(message).toContain('api.allowHttp[0]: gateway.example.com is a public name');
    expect(message).toContain('api.baseUrl: plain http to gateway.example.com');
  });

  test('the base URL of the environment is judged alike', async () => {
    const env = { OPENAI_BASE_URL: 'http://litellm:4000' };
    expect(await errorOf({}, env)).toContain('OPENAI_BASE_URL: plain http to litellm');
    await expect(load({ api: { allowHttp: ['litellm'] } }, env)).resolves.toBeDefined();
  });

  test.each(['litellm:4000', 'http://litellm', '*.internal', 'a b', 'litellm/v1'])(
    '"%s" is no host',
    async (host) => {
      expect(await errorOf({ api: { allowHttp: [host] } })).toContain(
        'expected the name or address of one host',
      );
    },
  );
});
