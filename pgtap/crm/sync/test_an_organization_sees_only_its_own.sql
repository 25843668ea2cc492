begin;
select plan(10);

select admin.connect_crm(organization(a), 'hubspot', a, '{}') from unnest('{alice,bob}'::text[]) as a;
insert into app.lead (organization_id, email, pipeline_stage)
select organization(a), a || '@example.com', 'qualified' from unnest('{alice,bob}'::text[]) as a;
create function test.refusal(statement text)
returns text
language plpgsql
as $$
begin
  execute statement;
  return null;
exception
  when others then
    return sqlstate;
end
$$;

select act_inside('alice', 'read');
select is(
  (select array_agg(s.organization_id) from crm.sync as s), array[organization('alice')], 'alice sees her own sync'
);
select act_inside('stranger');
select is_empty('select s.id from crm.sync as s', 'a request without a claim sees none');

select act_inside('alice', 'read');
select is_empty('select c.vendor from crm.connection as c', 'the scope read shows no connection');
select act_inside('alice', 'write');
select is_empty('select c.vendor from crm.connection as c', 'nor does the scope write');
select act_inside('alice', 'admin');
select is(
  (select array_agg(c.account) from crm.connection as c), array['alice'], 'the scope admin shows alice''s own connection'
);
select is(refusal('select c.credential from crm.connection as c'), '42501', 'without the credential');
select is(
  (select count(*) from crm.attempt as a where a.organization_id <> organization('alice')), 0::bigint,
  'the scope admin shows the attempts'
);
select is(refusal('select a.connection_revision from crm.attempt as a'), '42501', 'without the connection''s revision');
select is(
  array(
    select refusal(w) from unnest(array[
      'update crm.sync set status = status', 'delete from crm.sync', 'update crm.connection set state = state',
      'delete from crm.connection', 'insert into crm.sync (lead_id) values (null)'
    ]) as w
  ),
  array_fill('42501'::text, '{5}'), 'no table is writable'
);
select act_as('alice', 'admin');
select is(
  array(
    select refusal('select 1 from ' || t) from unnest('{crm.vendor,crm.connection,crm.sync,crm.attempt}'::text[]) as t
  ),
  array_fill('42501'::text, '{4}'), 'the API server reads no table'
);

select * from finish();
rollback;
