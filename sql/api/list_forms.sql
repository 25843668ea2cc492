-- api.list_forms - GET /forms.
set local role leads_exec;

create or replace function api.list_forms()
returns api.answer language sql stable security definer
begin atomic
  select row(
    200,
    null,
    concat(
      '{"data":[',
      string_agg(
        row_to_json(intake.form_item(f.organization_id, f.id, null))::text, ',' order by f.created_at, f.id
      ),
      '],"next_cursor":null}'
    )
  )::api.answer
  from intake.form as f
  where f.organization_id = (select auth.organization_id('admin'));
end;

comment on function api.list_forms() is
$$List the forms.

The oldest comes first. The addresses are not shown: a token is not stored. An operator changes and revokes forms.$$;

grant execute on function api.list_forms() to leads_api;

set local role leads_owner;
call api.document('api.list_forms', tag => 'Forms', answer => 'api.form', form => 'page');
