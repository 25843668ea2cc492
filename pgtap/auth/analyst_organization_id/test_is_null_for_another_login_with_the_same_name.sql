begin;
select plan(2);

select make_analyst('ana');
select act_as('ana');
select is(bound_organization(), organization('alice'), 'the bound login');

select act_as('dba');
do $$
begin
  execute format('drop role %I', login('ana'));
  execute format('create role %I login in role leads_bi', login('ana'));
end
$$;
select act_as('ana');
select is(bound_organization(), null, 'another login with the same name');

select * from finish();
rollback;
