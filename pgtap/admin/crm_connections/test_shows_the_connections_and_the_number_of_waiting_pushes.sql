begin;
select plan(4);

select admin.create_organization('Acme', 'live')::text;
select admin.connect_crm(acme(), 'hubspot', 'an account', '{}', '\x00', 'k');

insert into app.lead (organization_id, email, name, pipeline_stage)
select acme(), n || '@example.com', n, 'qualified' from generate_series(1, 4) as n;
select leased(2)::text;
update crm.sync set status = 'failed', error_code = 'gave_up', run_at = null where id = (sync('4')).id;
select admin.connect_crm(organization('alice'), 'jobnimbus', 'hers', '{}');
select act_as('operator');
select results_eq(
  'select c.organization, c.environment, c.vendor, c.credential, c.waiting, c.failed from admin.crm_connections() as c order by 1',
  $$values ('Acme', 'live', 'hubspot', '\x00'::bytea, 3, 1), ('The organization of alice', 'test', 'jobnimbus', null, 0, 0)$$,
  'the connections of all organizations'
);
select results_eq(
  'select c.account from admin.crm_connections(acme()) as c', array['an account'], 'the connection of one organization'
);
select is_empty('select * from admin.crm_connections(organization(''bob''))', 'an organization without a connection');
select results_eq(
  'select q.status, q.error_code from admin.crm_queue(acme()) as q order by q.status',
  $$values ('failed', 'gave_up'), ('in_progress', null), ('in_progress', null), ('pending', null)$$, 'the queue has the same pushes'
);

select * from finish();
rollback;
