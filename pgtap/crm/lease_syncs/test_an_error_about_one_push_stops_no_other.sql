begin;
select plan(4);

select admin.create_organization('Acme', 'live')::text;
select admin.connect_crm(acme(), 'hubspot', 'an account', '{}', '\x00', 'k');
insert into app.lead (organization_id, email, name, pipeline_stage)
values (acme(), 'ada@example.com', 'Ada', 'qualified'), (acme(), 'eve@example.com', 'Eve', 'qualified');
-- A fault that the function does not expect.
alter function crm.contact(app.lead_values, uuid) rename to contact_of_any;
create function crm.contact(lead app.lead_values, sync_id uuid)
returns json language plpgsql
as $$
begin
  if lead.name = 'Ada' then
    raise check_violation;
  end if;
  return crm.contact_of_any(lead, sync_id);
end $$;
set local client_min_messages = error;

select is(leased(), '{Eve}', 'the other push is leased');
select is((sync('Ada')).status, 'pending', 'the attempt has failed, and another one follows');
select is(
  (sync('Ada')).error, 'The push can''t be made (SQLSTATE 23514). The log of PostgreSQL says where.', 'leads crm queue says why'
);
select cmp_ok((sync('Ada')).run_at, '>', now(), 'after a pause');

select * from finish();
rollback;
