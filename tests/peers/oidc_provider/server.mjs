// An OpenID provider on a loopback port that ends with its standard input. Who signs in is the cookie `account`.
import { generateKeyPairSync, randomBytes } from 'node:crypto';
import { createServer } from 'node:http';
import Provider from 'oidc-provider';

const said = JSON.parse(process.env.OIDC_PROVIDER_PEER);
const accounts = new Map();
const PROFILE = ['given_name', 'family_name', 'name', 'locale', 'birthdate', 'picture'];

function key() {
  const { privateKey } = generateKeyPairSync('rsa', { modulusLength: 2048 });
  return { ...privateKey.export({ format: 'jwk' }), use: 'sig', alg: 'RS256', kid: randomBytes(8).toString('hex') };
}

function made(issuer) {
  const provider = new Provider(issuer, {
    clients: [said.client],
    jwks: { keys: [key()] },
    cookies: { keys: [randomBytes(16).toString('hex')] },
    pkce: { required: () => true, methods: ['S256'] },
    claims: { openid: ['sub', 'sid'], email: ['email', 'email_verified'], profile: PROFILE, school: ['school'] },
    scopes: ['openid', 'profile', 'email', 'school'],
    conformIdTokenClaims: false,
    findAccount: (_, id) => accounts.has(id) && { accountId: id, claims: async () => ({ sub: id, ...accounts.get(id) }) },
    interactions: { url: (_, interaction) => `/interaction/${interaction.uid}` },
    features: { devInteractions: { enabled: false }, backchannelLogout: { enabled: true }, revocation: { enabled: true } },
  });
  provider.use(async (ctx, next) => {
    if (!ctx.path.startsWith('/interaction/')) return next();
    const { grantId, params, prompt, session } = await provider.interactionDetails(ctx.req, ctx.res);
    const account = ctx.cookies.get('account');
    if (!accounts.has(account)) {
      return provider.interactionFinished(ctx.req, ctx.res, { error: 'access_denied' }, { mergeWithLastSubmission: false });
    }
    if (prompt.name === 'login') {
      return provider.interactionFinished(ctx.req, ctx.res, { login: { accountId: account } }, { mergeWithLastSubmission: false });
    }
    const grant = (grantId && (await provider.Grant.find(grantId)))
      || new provider.Grant({ accountId: session.accountId, clientId: params.client_id });
    grant.addOIDCScope(params.scope);
    return provider.interactionFinished(ctx.req, ctx.res, { consent: { grantId: await grant.save() } }, { mergeWithLastSubmission: true });
  });
  return provider;
}

async function body(request) {
  let text = '';
  for await (const part of request) text += part;
  return text ? JSON.parse(text) : {};
}

let provider;
const server = createServer(async (request, response) => {
  const [, control, what, id] = request.url.split('/');
  if (control !== 'control') return provider.callback()(request, response);
  if (what === 'account') accounts.set(decodeURIComponent(id), await body(request));
  if (what === 'keys') provider = made(provider.issuer);
  if (what === 'logout') {
    const { sub, sid } = await body(request);
    const client = await provider.Client.find(said.client.client_id);
    await client.backchannelLogout(sub, sid);
  }
  response.writeHead(204).end();
});
server.listen(0, '127.0.0.1', () => {
  const { port } = server.address();
  provider = made(`http://localhost:${port}`);
  console.log(port);
});
process.stdin.on('end', () => process.exit(0)).resume();
