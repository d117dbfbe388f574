"""The probe: some texts show whether an encoder's vectors will be right."""
