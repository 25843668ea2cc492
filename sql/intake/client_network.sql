-- intake.client_network - the address that a client's requests are counted by.
set local role leads_owner;

create or replace function intake.client_network(address text)
returns inet language sql immutable parallel safe
begin atomic
  -- A client with IPv6 usually has 64 bits of addresses.
  select case family(client_network.address::inet)
    when 6 then set_masklen(network(set_masklen(client_network.address::inet, 64))::inet, 64)
    else client_network.address::inet
  end;
end;

comment on function intake.client_network(text) is 'The IPv4 address itself, or the first 64 bits of the IPv6 address.';

grant execute on function intake.client_network(text) to leads_intake;
