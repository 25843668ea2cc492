begin;
select plan(3);

select admin.create_organization('Acme', 'live')::text;
select make_webhook('bad', 'values', '{lead.created}')::text, make_webhook('good', 'values', '{lead.created}')::text;
update webhook.endpoint set url = 'https://bad.example.com/hook' where name = 'bad';
-- A fault that the function does not expect.
alter table webhook.recipient add constraint no_bad_host check (host <> 'bad.example.com');
set local client_min_messages = error;
insert into app.lead (organization_id, email) values (acme(), 'ada@example.com');
select queue_deliveries();

select is((select count(*) from lease_deliveries()), 1::bigint, 'the other delivery is leased');
select results_eq(
  $$select d.state, d.attempts, d.leased_until is null, d.next_attempt_at > now(), d.message
  from webhook.delivery as d join webhook.endpoint as p on p.id = d.endpoint_id where p.name = 'bad'$$,
  $$values ('pending', 1, true, true, 'The message can''t be made (SQLSTATE 23514). The log of PostgreSQL says where.')$$,
  'the attempt has failed, and another one follows'
);
select is((select p.failures from webhook.endpoint as p where p.name = 'bad'), 1, 'the failure counts');

select * from finish();
rollback;
