// A nation's identity provider: npm oidc-provider as it comes, with the nation's own words for clearance,
// role and nationality.
//   provider.mjs settings.json
import { readFileSync } from 'node:fs';
import { createServer } from 'node:https';
import * as oidc from 'oidc-provider';
import { ask } from '../loopback.mjs';
import { endWithParent, sayReady } from '../lifeline.mjs';
import { readSettings, runWithSettings } from '../settings.mjs';
import { pairwiseSubject, secretsIn } from './keys.mjs';
import { messagePage, signOutPage } from './pages.mjs';
import { storage } from './records.mjs';
import { SignIn } from './sign_in.mjs';

const settingsShape = {
  nation: 'string', // path of the nation's own file
  host: 'string', // name in the issuer; the socket is on 127.0.0.1 always
  port: 'number', // 0: any free one
  tls: { certificate: 'string', key: 'string' },
  data: 'string',
  people: 'string',
  clients: [
    {
      client_id: 'string',
      redirect_uris: ['string'],
      jwks: 'string',
      'post_logout_redirect_uris?': ['string'],
    },
  ],
  'authority?': 'string', // of the certificates of those it posts to
};
const nationShape = {
  code: 'string',
  name: 'string',
  title: 'string',
  algorithm: 'string',
  subject: 'string',
  scope: 'string',
  claims: ['string'],
  acr_values: ['string'],
};
const personShape = {
  nation: 'string',
  login: 'string',
  name: 'string',
  post: 'string',
  subject: 'string',
  acr: 'string',
  amr: ['string'],
  claims: 'object',
  passphrase: 'string',
  'may?': 'string',
};

function clientsOf(settings, nation) {
  return settings.clients.map((client) => ({
    jwksPath: client.jwks,
    metadata: {
      client_id: client.client_id,
      redirect_uris: client.redirect_uris,
      post_logout_redirect_uris: client.post_logout_redirect_uris ?? [],
      backchannel_logout_uri: new URL('/backchannel-logout', client.redirect_uris[0]).href,
      token_endpoint_auth_method: 'private_key_jwt',
      token_endpoint_auth_signing_alg: 'ES256',
      grant_types: ['authorization_code'],
      response_types: ['code'],
      subject_type: nation.subject,
      id_token_signed_response_alg: nation.algorithm,
      require_pushed_authorization_requests: true,
      require_auth_time: true,
    },
  }));
}

// People's own programs: they hold no secret, and prove by DPoP which key their tokens are bound to. For the
// nation they are the same people as at its node, so a pairwise subject is made for both alike.
const kProgram = 'entente-cli';

function programOf(nation) {
  return {
    metadata: {
      client_id: kProgram,
      redirect_uris: ['http://127.0.0.1/callback'],
      token_endpoint_auth_method: 'none',
      grant_types: ['authorization_code'],
      response_types: ['code'],
      subject_type: nation.subject,
      id_token_signed_response_alg: nation.algorithm,
      dpop_bound_access_tokens: true,
    },
  };
}

// The nation's key service stands beside its lobby.
const keyServiceOf = (clients) => {
  const lobby = new URL(clients[0].redirect_uris[0]);
  return `https://${lobby.host.replace(/^lobby\./, 'kas.')}`;
};

// The nation has agreed for its people that its own node learns these claims, so nobody is shown a consent
// page.
async function agreedGrant(ctx, scopes, claims, keyService) {
  const { Grant } = ctx.oidc.provider;
  const { clientId } = ctx.oidc.client;
  const known = ctx.oidc.session.grantIdFor(clientId);
  const found = known && (await Grant.find(known));
  if (found && found.accountId === ctx.oidc.session.accountId) return found;
  const grant = new Grant({ clientId, accountId: ctx.oidc.session.accountId });
  grant.addOIDCScope(scopes.join(' '));
  grant.addOIDCClaims(claims);
  if (clientId === kProgram) grant.addResourceScope(keyService, scopes.join(' '));
  await grant.save();
  return grant;
}

function accountOf(people, subject) {
  const person = people.find((candidate) => candidate.subject === subject);
  if (!person) return undefined;
  return { accountId: subject, claims: () => ({ sub: subject, name: person.name, ...person.claims }) };
}

// What the provider asks of the node by itself: names below localhost are this machine.
async function askLobby(address, { method, headers, body }, authority) {
  const answer = await ask(address, {
    method,
    headers: Object.fromEntries(new Headers(headers)),
    body: body && String(body),
    ca: authority && readFileSync(authority),
  });
  return new Response(answer.body || null, { status: answer.status });
}

function configuration({ nation, people, clients, secrets, signIn, authority, keyService }) {
  const scopes = ['openid', 'profile', nation.scope];
  const nodeSector = new URL(clients[0].metadata.redirect_uris[0]).host;
  const show = (ctx, body) => {
    ctx.set(signIn.headers());
    ctx.type = 'html';
    ctx.body = body;
  };
  return {
    adapter: storage(clients),
    fetch: (address, options) => askLobby(address, options, authority),
    jwks: { keys: [secrets.signing] },
    cookies: { keys: [secrets.cookies] },
    scopes,
    claims: {
      openid: ['sub'],
      profile: ['name'],
      [nation.scope]: nation.claims,
      acr: null,
      amr: null,
      auth_time: null,
    },
    conformIdTokenClaims: false, // national claims go into the ID token, under the signature
    acrValues: nation.acr_values,
    subjectTypes: [nation.subject],
    pairwiseIdentifier: (ctx, subject, client) =>
      pairwiseSubject(secrets, client.clientId === kProgram ? nodeSector : client.sectorIdentifier, subject),
    clientAuthMethods: ['private_key_jwt', 'none'],
    enabledJWA: {
      clientAuthSigningAlgValues: ['ES256'],
      idTokenSigningAlgValues: [nation.algorithm],
      dPoPSigningAlgValues: ['ES256', 'RS256'],
    },
    responseTypes: ['code'],
    pkce: { required: () => true },
    features: {
      devInteractions: { enabled: false },
      claimsParameter: { enabled: true },
      pushedAuthorizationRequests: { enabled: true },
      dPoP: { enabled: true },
      resourceIndicators: {
        enabled: true,
        defaultResource: () => [],
        useGrantedResource: () => true,
        getResourceServerInfo: (ctx, resource, client) => {
          if (resource !== keyService || client.clientId !== kProgram)
            throw new oidc.errors.InvalidTarget('tokens are made for the nation\'s key service alone');
          return {
            scope: scopes.join(' '),
            audience: keyService,
            accessTokenTTL: 600,
            accessTokenFormat: 'jwt',
            jwt: { sign: { alg: nation.algorithm } },
          };
        },
      },
      backchannelLogout: { enabled: true },
      rpInitiatedLogout: {
        enabled: true,
        logoutSource: (ctx, form) => show(ctx, signOutPage(nation, form)),
        postLogoutSuccessSource: (ctx) =>
          show(ctx, messagePage(nation, 'Signed out', 'You may close this page.')),
      },
    },
    ttl: {
      AccessToken: 300,
      AuthorizationCode: 60,
      IdToken: 300,
      Interaction: 600,
      Session: 3600,
      Grant: 3600,
    },
    findAccount: (ctx, subject) => accountOf(people, subject),
    // What the key service reads is what the node reads in an ID token.
    extraTokenClaims: (ctx, token) => {
      const person = people.find((candidate) => candidate.subject === token.accountId);
      const { AuthorizationCode, RefreshToken } = ctx.oidc.entities;
      const { authTime } = AuthorizationCode ?? RefreshToken ?? {};
      return person && { ...person.claims, acr: person.acr, amr: person.amr, auth_time: authTime };
    },
    loadExistingGrant: (ctx) =>
      agreedGrant(ctx, scopes, ['name', ...nation.claims, 'acr', 'amr', 'auth_time'], keyService),
    interactions: { url: (ctx, interaction) => `/sign-in/${interaction.uid}` },
    renderError: (ctx, out) =>
      show(ctx, messagePage(nation, 'Sign-in stopped', `${out.error}: ${out.error_description ?? ''}`)),
  };
}

// The lobby's neighbours under the same parent name may be the last stop of a sign-in's redirects.
function formTargets(clients) {
  const addresses = clients.flatMap((client) => client.redirect_uris).map((address) => new URL(address));
  return [
    ...new Set(
      addresses.map(
        (address) => `https://*.${address.hostname.split('.').slice(1).join('.')}:${address.port}`,
      ),
    ),
  ];
}

async function listen(settings, handler) {
  const server = createServer({
    cert: readFileSync(settings.tls.certificate),
    key: readFileSync(settings.tls.key),
    minVersion: 'TLSv1.2',
  });
  server.on('request', handler);
  await new Promise((resolve, reject) =>
    server.once('error', reject).listen(settings.port, '127.0.0.1', resolve),
  );
  return server;
}

async function main(path) {
  const settings = readSettings(path, settingsShape);
  const nation = readSettings(settings.nation, nationShape);
  const everyone = readSettings(settings.people, { mission: 'string', people: [personShape] }).people;
  const people = everyone.filter((person) => person.nation === nation.code);
  const secrets = await secretsIn(settings.data, nation.code, nation.algorithm);

  let answer; // set below: the issuer's name holds the port, which is known only when listening
  const server = await listen(settings, (request, response) => answer(request, response));
  const { port } = server.address();
  const issuer = `https://${settings.host}:${port}`;
  const signIn = new SignIn(nation, people, issuer, formTargets(settings.clients));
  const clients = [...clientsOf(settings, nation), programOf(nation)];
  const keyService = keyServiceOf(settings.clients);
  const provider = new oidc.Provider(issuer, configuration({ nation, people, clients, secrets, signIn, authority: settings.authority, keyService }));
  for (const event of [
    'server_error',
    'authorization.error',
    'grant.error',
    'pushed_authorization_request.error',
  ]) {
    provider.on(event, (ctx, error) => {
      process.stderr.write(
        `${nation.code} provider: ${event}: ${error.message} ${error.error_detail ?? ''}\n`,
      );
    });
  }
  const protocol = provider.callback();
  answer = async (request, response) => {
    try {
      if (!(await signIn.handle(provider, request, response))) protocol(request, response);
    } catch (error) {
      process.stderr.write(`${nation.code} provider: ${error.stack}\n`);
      if (!response.headersSent) response.writeHead(500);
      response.end();
    }
  };
  endWithParent(() => {
    server.close();
    server.closeAllConnections();
  });
  sayReady({ port, issuer, nation: nation.code });
}

await runWithSettings('provider', main);
