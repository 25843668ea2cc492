-- app.contact_fault - the field error of a lead without contact data.
set local role leads_owner;

-- In the same transaction, so that the previous release finds a function at any time.
drop function if exists app.contact_fault();

create or replace function app.contact_fault(
  organization_id uuid default null,
  has_name_and_phone boolean default false,
  had_only_these boolean default false
)
returns json language sql stable parallel safe
begin atomic
  select json_build_array(json_build_object(
    'field', 'email',
    'code', 'contact_required',
    'detail', case
      when o.accepts_name_and_phone then 'A lead needs an email, or a name with a company or a phone.'
      else 'A lead needs an email, or a name and a company.'
    end
  ))
  from app.organization as o
  where
    o.organization_id = contact_fault.organization_id
    and not (contact_fault.has_name_and_phone and (o.accepts_name_and_phone or contact_fault.had_only_these));
end;

comment on function app.contact_fault(uuid, boolean, boolean) is
$$The entry in errors for a lead that has neither an email, nor a name and a company.

has_name_and_phone: whether the lead has a name and a phone, which an organization can accept. had_only_these: whether it was
such a lead before the change; then they suffice, although the organization may not accept them any more. Null: there is no
error.$$;

grant execute on function app.contact_fault(uuid, boolean, boolean) to leads_exec, leads_intake, leads_jobs;
