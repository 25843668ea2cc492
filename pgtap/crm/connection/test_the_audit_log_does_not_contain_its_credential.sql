begin;
select plan(7);

select admin.create_organization('Acme', 'live')::text;
select admin.connect_crm(acme(), 'hubspot', 'an account', '{}', '\x00', 'k');

create view test.recorded as
select e.action, e.payload::jsonb -> 'diff' as diff from audit.event as e where e.action like 'crm_connection.%' order by e.id;
select results_eq(
  'select * from test.recorded',
  $$
    values ('crm_connection.created', '{
      "vendor": {"from": null, "to": "hubspot"}, "account": {"from": null, "to": "an account"},
      "state": {"from": null, "to": "active"}, "push_stage": {"from": null, "to": "qualified"},
      "settings": {"from": null, "to": {}}, "settle_seconds": {"from": null, "to": 5},
      "credential_key": {"from": null, "to": "k"}
    }'::jsonb)
  $$,
  'created'
);
update crm.connection set blocked_until = now(), paced_until = now();
select is((select count(*) from test.recorded), 1::bigint, 'changes by the vendor''s answers are not recorded');
select admin.connect_crm(acme(), 'hubspot', 'an account', '{}', '\xc0ffee00c0ffee', 'k');
select results_eq(
  'select * from test.recorded offset 1',
  $$values ('crm_connection.updated', '{"credential": {"from": "\\x00", "to": "\\xc0ffee00"}}'::jsonb)$$,
  'a new credential is recorded by its first 4 bytes'
);
select admin.change_crm_connection(acme(), 'pause');
select results_eq(
  'select * from test.recorded offset 2',
  $$values ('crm_connection.updated', '{"state": {"from": "active", "to": "paused"}}'::jsonb)$$, 'paused'
);
select admin.change_crm_connection(acme(), 'disconnect');
select is((select r.action from test.recorded as r offset 3), 'crm_connection.deleted', 'removed');
select is((select count(*) from test.recorded), 4::bigint, 'no other events');
select is_empty($$select e.id from audit.event as e where e.payload::text like '%c0ffee00c0ffee%'$$, 'no event contains the credential');

select * from finish();
rollback;
