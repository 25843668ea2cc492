begin;
select plan(5);

select act_as('operator');
select is(admin.organization_of(organization('alice')), organization('alice'), 'an organization');
-- Statements of their own, because a stable function does not see what its statement has written.
select set_config('test.key', admin.create_key(organization('alice'), 'read', sha256('a'))::text, true);
select is(admin.organization_of(current_setting('test.key')::uuid), organization('alice'), 'a key');
select set_config('test.form', (admin.create_form(organization('alice'), '{}')).id::text, true);
select is(admin.organization_of(current_setting('test.form')::uuid), organization('alice'), 'a form');
select act_as('dba');
insert into webhook.endpoint (organization_id, url, position, secret, secret_key)
values (organization('bob'), 'https://hooks.example.com/', 0, 'sealed', 'k');
select is((select admin.organization_of(p.id) from webhook.endpoint as p), organization('bob'), 'a webhook');
select is(admin.organization_of(gen_random_uuid()), null, 'nothing');

select * from finish();
rollback;
