begin;
select plan(6);

select admin.create_organization('Acme', 'live')::text;
select make_webhook(n)::text from unnest('{a,b,c}'::text[]) as n;
create table test.hook as select p.id, p.name from webhook.endpoint as p;
select webhook.announce_keys('{new,k}', array[decode(repeat('09', 32), 'hex'), decode(repeat('08', 32), 'hex')])::text;
create function test.listed(key_ids text[])
returns setof text language sql stable
as $$
  select h.name || array_length(s.secrets, 1) from webhook.secrets_to_seal(key_ids) as s join test.hook as h on h.id = s.endpoint_id order by 1
$$;

update webhook.endpoint set secret_key = 'new', secret_is_bound = true where name = 'a';
update webhook.endpoint set secret_is_bound = true, state = 'disabled', disabled_reason = 'request', disabled_at = now() where name = 'b';
update webhook.endpoint
set previous_secret = 'x', previous_secret_key = 'k', previous_expires_at = now() + interval '1 hour' where name = 'c';
select results_eq('select listed(''{new,k}'')', '{b1,c2}'::text[], 'also of a disabled webhook, and the previous secret');
select results_eq(
  'select s.secrets, s.secret_keys from webhook.secrets_to_seal(''{new,k}'') as s where s.endpoint_id = webhook(''b'')',
  $$values (array[convert_to('the secret of b', 'UTF8')], '{k}'::text[])$$,
  'each with its key'
);
select results_eq(
  'select s.endpoint_id from webhook.secrets_to_seal(''{new,k}'', acme(), (select min(h.id::text)::uuid from test.hook as h where h.name <> ''a'')) as s',
  $$select max(h.id::text)::uuid from test.hook as h where h.name <> 'a'$$, 'and those after a webhook'
);
select is_empty('select listed(''{new}'')', 'not without the key that opens them');
select is_empty('select listed(''{k,new}'')', 'not for a worker whose first key is not the current one');
update webhook.endpoint set previous_expires_at = now() - interval '1 second' where name = 'c';
select results_eq('select listed(''{new,k}'')', '{b1,c1}'::text[], 'not a secret that has expired');

select * from finish();
rollback;
